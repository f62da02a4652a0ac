//! The HR systems that there are recipes for, each answering in its recorded shape, with invented people.

use serde_json::{Value, json};

use crate::rest_server::{Asked, Reply, basic, needs};

/// An invented person, as every recipe's system has the same ones.
pub(crate) struct One {
    pub(crate) number: usize,
    pub(crate) hr_id: String,
    pub(crate) first: &'static str,
    pub(crate) last: String,
    pub(crate) email: String,
    pub(crate) end: Option<&'static str>,
}

/// People of whom one leaves in the new year.
pub(crate) fn one(number: usize) -> One {
    One {
        number,
        hr_id: format!("P{number:04}"),
        first: "Änne",
        last: format!("Beispiel{number}"),
        email: format!("person{number}@example.com"),
        end: (number == 2).then_some("2027-01-31"),
    }
}

pub(crate) const BORN: &str = "1990-04-15";
pub(crate) const START: &str = "2022-03-01";

/// What a recipe's system is like.
pub(crate) struct System {
    pub(crate) recipe: &'static str,
    /// Keys of the source besides those that everybody writes.
    pub(crate) keys: &'static str,
    pub(crate) secrets: &'static [&'static str],
    /// Whether the roster has a start date and a last day.
    pub(crate) dates: (bool, bool),
    /// Whether the hrId is the number of the record alone.
    pub(crate) by_number: bool,
    pub(crate) answer: fn(&Asked) -> Reply,
}

pub(crate) const ALL: usize = 5;
/// Most systems give no more than this at once, whatever they are asked for.
const AT_ONCE: usize = 2;

fn from(at: usize, size: usize, shape: impl Fn(&One) -> Value) -> Vec<Value> {
    (at + 1..=(at + size).min(ALL))
        .map(|number| shape(&one(number)))
        .collect()
}

fn personio(asked: &Asked) -> Reply {
    if asked.path == "/v1/auth" {
        assert_eq!(
            asked.json(),
            json!({"client_id": "the-client_id", "client_secret": "the-client_secret"})
        );
        return Reply::Json(
            json!({"success": true, "data": {"token": "t", "expires_in": 86400, "scope": ""}}),
        );
    }
    let shape = |one: &One| {
        let value = |label: &str, id: &str, value: Value| json!({"label": label, "value": value, "type": "standard", "universal_id": id});
        json!({"type": "Employee", "attributes": {
            "id": value("ID", "id", one.number.into()),
            "first_name": value("First name", "first_name", one.first.into()),
            "last_name": value("Last name", "last_name", one.last.clone().into()),
            "email": value("Email", "email", one.email.clone().into()),
            "status": value("Status", "status", "active".into()),
            "hire_date": value("Hire date", "hire_date", format!("{START}T00:00:00+01:00").into()),
            "termination_date": value("Termination date", "termination_date", Value::Null),
            "last_working_day": value("Last day of work", "last_working_day", one.end.map(|end| format!("{end}T00:00:00+0100")).into()),
            "contract_end_date": value("Contract ends", "contract_end_date", Value::Null),
            "department": {"label": "Department", "value": {"type": "Department", "attributes": {"id": 1, "name": "HR"}}},
            "dynamic_33400": {"label": "Birthday", "value": format!("{BORN}T00:00:00+02:00"), "type": "date", "universal_id": "date_of_birth"},
        }})
    };
    let (offset, limit) = (asked.number("offset"), asked.number("limit"));
    assert_eq!((asked.path.as_str(), limit), ("/v1/company/employees", 100));
    needs(asked, "authorization", "Bearer t").unwrap_or_else(|| Reply::Json(json!({
        "success": true, "metadata": {"total_elements": ALL, "current_page": 0, "total_pages": 1}, "offset": offset, "limit": limit,
        "data": from(offset, limit.min(AT_ONCE), shape),
    })))
}

fn bamboohr(asked: &Asked) -> Reply {
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/api/v2/datasets/employee/data")
    );
    assert_eq!(asked.header("accept"), "application/json");
    let shape = |one: &One| {
        json!({"fields": {
            "employeeNumber": one.hr_id, "firstName": one.first, "lastName": one.last, "email": one.email,
            "birthDate": BORN, "hireDate": START, "terminationDate": one.end.unwrap_or("0000-00-00"), "status": "Active",
        }})
    };
    let page = usize::try_from(asked.json()["page"].as_u64().unwrap()).unwrap();
    needs(asked, "authorization", &basic("the-api_key:x")).unwrap_or_else(|| {
        Reply::Json(json!({
            "data": from((page - 1) * AT_ONCE, AT_ONCE, shape), "links": {"next": null, "prev": null},
            "meta": {"page": page, "pageSize": AT_ONCE, "totalPages": ALL.div_ceil(AT_ONCE), "totalItems": ALL},
        }))
    })
}

fn hibob(asked: &Asked) -> Reply {
    assert_eq!(asked.json()["showInactive"], true);
    let shape = |one: &One| {
        json!({
            "/work/employeeIdInCompany": {"value": one.hr_id}, "/root/firstName": {"value": one.first}, "/root/surname": {"value": one.last},
            "/root/email": {"value": one.email}, "/personal/birthDate": {"value": BORN}, "/work/startDate": {"value": START},
            "/internal/terminationDate": {"value": one.end},
        })
    };
    needs(asked, "authorization", &basic("the-service_user:the-token"))
        .unwrap_or_else(|| Reply::Json(json!({"employees": from(0, ALL, shape)})))
}

fn hrworks(asked: &Asked) -> Reply {
    if asked.path == "/v2/authentication" {
        assert_eq!(
            asked.json(),
            json!({"accessKey": "the-access_key", "secretAccessKey": "the-secret_access_key"})
        );
        return Reply::Json(json!({"token": "t"}));
    }
    let shape = |one: &One| {
        json!({
            "personnelNumber": one.hr_id, "firstName": one.first, "lastName": one.last, "email": one.email,
            "birthday": BORN, "joinDate": START, "leaveDate": one.end.unwrap_or(""),
        })
    };
    if let Some(refused) = needs(asked, "authorization", "Bearer t") {
        return refused;
    }
    let page = asked.number("page").max(1);
    let rel = if page < 3 { "next" } else { "first" };
    let link = format!(
        "<http://{}/v2/persons/master-data?onlyActive=false&page={}>; rel=\"{rel}\"",
        asked.header("host"),
        page % 3 + 1
    );
    let body = json!({"persons": from((page - 1) * 2, 2, shape)});
    Reply::Full(200, vec![("link", link)], body.to_string().into_bytes())
}

fn factorial(asked: &Asked) -> Reply {
    let shape = |one: &One| {
        json!({
            "id": one.number, "company_identifier": one.hr_id, "first_name": one.first, "last_name": one.last, "email": "private@example.org",
            "login_email": one.email, "birthday_on": BORN, "terminated_on": one.end,
        })
    };
    let after = asked.number("after_id");
    let end = (after + 2).min(ALL);
    needs(asked, "x-api-key", "the-api_key").unwrap_or_else(|| Reply::Json(json!({
        "data": from(after, 2, shape),
        "meta": {"limit": 2, "total": ALL, "has_next_page": end < ALL, "end_cursor": end.to_string(), "has_previous_page": after > 0, "start_cursor": null},
    })))
}

fn successfactors(asked: &Asked) -> Reply {
    assert_eq!(asked.query.get("$format").map(String::as_str), Some("json"));
    let millis = |day: &str| {
        let day: chrono::NaiveDate = day.parse().unwrap();
        format!(
            "/Date({})/",
            day.and_hms_opt(0, 0, 0)
                .unwrap()
                .and_utc()
                .timestamp_millis()
        )
    };
    let shape = |one: &One| {
        json!({
            "userId": format!("u{}", one.number), "personIdExternal": one.hr_id,
            "startDate": millis(START), "endDate": one.end.map(millis),
            "personNav": {
                "dateOfBirth": millis(BORN),
                "personalInfoNav": {"results": [{"firstName": one.first, "lastName": one.last}]},
                "emailNav": {"results": [{"emailAddress": "private@example.org", "isPrimary": false}, {"emailAddress": one.email, "isPrimary": true}]},
            },
        })
    };
    if let Some(refused) = needs(asked, "authorization", &basic("the-user:the-password")) {
        return refused;
    }
    let at = asked.number("$skiptoken");
    let mut d = json!({"results": from(at, 2, shape), "__count": ALL.to_string()});
    if at + 2 < ALL {
        d["__next"] = format!(
            "http://{}/odata/v2/EmpEmployment?$format=json&$skiptoken={}",
            asked.header("host"),
            at + 2
        )
        .into();
    }
    Reply::Json(json!({ "d": d }))
}

fn workday(asked: &Asked) -> Reply {
    assert_eq!(asked.query.get("format").map(String::as_str), Some("json"));
    let shape = |one: &One| {
        let mut record = json!({
            "Employee_ID": one.hr_id, "First_Name": one.first, "Last_Name": one.last, "Email": one.email,
            "Date_of_Birth": format!("{BORN}-07:00"), "Hire_Date": START,
        });
        if let Some(end) = one.end {
            record["Termination_Date"] = end.into();
        }
        record
    };
    needs(asked, "authorization", &basic("the-user:the-password"))
        .unwrap_or_else(|| Reply::Json(json!({"Report_Entry": from(0, ALL, shape)})))
}

fn sage_hr(asked: &Asked) -> Reply {
    let shape = |one: &One| {
        json!({
            "id": one.number, "employee_number": one.hr_id, "first_name": one.first, "last_name": one.last, "email": one.email,
            "date_of_birth": BORN, "employment_start_date": START,
        })
    };
    let page = asked.number("page");
    needs(asked, "x-auth-token", "the-api_key").unwrap_or_else(|| Reply::Json(json!({
        "data": from((page - 1) * 2, 2, shape), "meta": {"current_page": page, "per_page": 2, "total_pages": 3, "total_entries": ALL},
    })))
}

fn erpnext(asked: &Asked) -> Reply {
    assert!(asked.query["fields"].starts_with("[\"name\""));
    let shape = |one: &One| {
        json!({
            "name": one.hr_id, "first_name": one.first, "last_name": one.last, "company_email": one.email,
            "date_of_birth": BORN, "date_of_joining": START, "relieving_date": one.end, "status": "Active",
        })
    };
    let at = asked.number("limit_start");
    needs(asked, "authorization", "token the-api_key:the-api_secret").unwrap_or_else(|| {
        Reply::Json(
            json!({"data": from(at, asked.number("limit_page_length").min(AT_ONCE), shape)}),
        )
    })
}

fn odoo(asked: &Asked) -> Reply {
    let shape = |one: &One| {
        json!({
            "id": one.number, "barcode": one.hr_id, "firstname": one.first, "lastname": one.last, "work_email": one.email,
            "birthday": BORN, "contract_date_start": START, "contract_date_end": false,
            "departure_date": one.end.map_or(Value::Bool(false), Value::from),
        })
    };
    let body = asked.json();
    assert_eq!(body["context"]["active_test"], false);
    let number = |key: &str| usize::try_from(body[key].as_u64().unwrap()).unwrap();
    needs(asked, "authorization", "Bearer the-api_key").unwrap_or_else(|| {
        let size = number("limit").min(AT_ONCE);
        Reply::Json(from(number("offset"), size, shape).into())
    })
}

fn humaans(asked: &Asked) -> Reply {
    assert_eq!(asked.path, "/api/people");
    let shape = |one: &One| {
        json!({
            "id": format!("h{}", one.number), "employeeId": one.hr_id, "firstName": one.first, "lastName": one.last, "email": one.email,
            "birthday": BORN, "employmentStartDate": START, "employmentEndDate": one.end, "lastWorkingDay": null, "status": "active",
        })
    };
    let (skip, limit) = (asked.number("$skip"), asked.number("$limit").min(AT_ONCE));
    needs(asked, "authorization", "Bearer the-token").unwrap_or_else(|| {
        Reply::Json(
            json!({"total": ALL, "limit": limit, "skip": skip, "data": from(skip, limit, shape)}),
        )
    })
}

fn kenjo(asked: &Asked) -> Reply {
    let shape = |one: &One| match asked.path.as_str() {
        "/employees/accounts" => {
            json!({"_id": format!("o{}", one.number), "email": one.email, "externalId": one.hr_id, "language": "de", "isActive": true})
        }
        "/employees/personals" => {
            json!({"_id": format!("o{}", one.number), "firstName": one.first, "lastName": one.last, "birthdate": format!("{BORN}T00:00:00.000Z")})
        }
        _ => {
            json!({"_id": format!("o{}", one.number), "startDate": format!("{START}T00:00:00"), "jobTitle": "x"})
        }
    };
    if asked.path == "/auth/login" {
        assert_eq!(asked.json(), json!({"apiKey": "the-api_key"}));
        return Reply::Json(json!({"token": "Bearer t", "xExpiresAfter": 172_800}));
    }
    needs(asked, "authorization", "Bearer t")
        .unwrap_or_else(|| Reply::Json(json!({"data": from(0, ALL, shape)})))
}

/// A page of Kombo or Merge, which tell people alike: the cursor of what follows, and the people.
fn unified(asked: &Asked, midnight: &str) -> (Option<String>, Vec<Value>) {
    let day = |day: &str| format!("{day}{midnight}");
    let shape = |one: &One| {
        json!({
            "id": format!("u{}", one.number), "remote_id": one.number.to_string(), "employee_number": one.hr_id, "first_name": one.first,
            "last_name": one.last, "work_email": one.email, "date_of_birth": day(BORN), "start_date": day(START), "termination_date": one.end.map(day),
        })
    };
    let at = asked.number("cursor");
    let next = (at + 2 < ALL).then(|| (at + 2).to_string());
    (next, from(at, 2, shape))
}

fn kombo(asked: &Asked) -> Reply {
    let refused = needs(asked, "authorization", "Bearer the-api_key")
        .or_else(|| needs(asked, "x-integration-id", "the-integration_id"));
    let (next, people) = unified(asked, "T00:00:00.000Z");
    refused.unwrap_or_else(|| {
        Reply::Json(json!({"status": "success", "data": {"next": next, "results": people}}))
    })
}

fn merge(asked: &Asked) -> Reply {
    let refused = needs(asked, "authorization", "Bearer the-api_key")
        .or_else(|| needs(asked, "x-account-token", "the-account_token"));
    let (next, people) = unified(asked, "T00:00:00Z");
    refused
        .unwrap_or_else(|| Reply::Json(json!({"next": next, "previous": null, "results": people})))
}

const PLAIN: System = System {
    recipe: "",
    keys: "",
    secrets: &["api_key"],
    dates: (true, true),
    by_number: false,
    answer: personio,
};

pub(crate) const SYSTEMS: &[System] = &[
    System {
        recipe: "personio",
        secrets: &["client_id", "client_secret"],
        by_number: true,
        answer: personio,
        ..PLAIN
    },
    System {
        recipe: "bamboohr",
        answer: bamboohr,
        ..PLAIN
    },
    System {
        recipe: "hibob",
        secrets: &["service_user", "token"],
        answer: hibob,
        ..PLAIN
    },
    System {
        recipe: "hrworks",
        secrets: &["access_key", "secret_access_key"],
        answer: hrworks,
        ..PLAIN
    },
    System {
        recipe: "humaans",
        secrets: &["token"],
        answer: humaans,
        ..PLAIN
    },
    System {
        recipe: "factorial",
        dates: (false, true),
        answer: factorial,
        ..PLAIN
    },
    System {
        recipe: "successfactors",
        secrets: &["user", "password"],
        answer: successfactors,
        ..PLAIN
    },
    System {
        recipe: "workday",
        keys: "        request: {get: /ccx/service/customreport2/acme/owner/roster}\n",
        secrets: &["user", "password"],
        answer: workday,
        ..PLAIN
    },
    System {
        recipe: "sage-hr",
        dates: (true, false),
        answer: sage_hr,
        ..PLAIN
    },
    System {
        recipe: "erpnext",
        secrets: &["api_key", "api_secret"],
        answer: erpnext,
        ..PLAIN
    },
    System {
        recipe: "odoo",
        answer: odoo,
        ..PLAIN
    },
    System {
        recipe: "kenjo",
        dates: (true, false),
        answer: kenjo,
        ..PLAIN
    },
    System {
        recipe: "kombo",
        secrets: &["api_key", "integration_id"],
        answer: kombo,
        ..PLAIN
    },
    System {
        recipe: "merge",
        secrets: &["api_key", "account_token"],
        answer: merge,
        ..PLAIN
    },
];
